// The licences of what the page is made of, gathered into notices.html.

import { existsSync, readFileSync } from "node:fs";
import type { Plugin } from "vite";

export interface Notice {
  /** The fragment that the footer links to. */
  id: string;
  title: string;
  /** Shown one after the other. */
  paths: string[];
}

const escape = (text: string) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

export function notices(all: Notice[]): Plugin {
  return {
    name: "elanus-notices",
    transformIndexHtml: {
      order: "pre",
      handler(html) {
        return html.replace("<!--notices-->", () =>
          all
            .map(({ id, title, paths }) => {
              const missing = paths.find((path) => !existsSync(path));
              if (missing) throw new Error(`the notice "${title}" needs ${missing}, which isn't there`);
              const texts = paths.map((path) => `<pre tabindex="0">${escape(readFileSync(path, "utf8").trim())}</pre>`);
              return `<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${escape(title)}</h2>${texts.join("")}</section>`;
            })
            .join("\n"),
        );
      },
    },
  };
}
