// Light, dark, or as the system has it.

const KEY = "elanus.theme";
const SYMBOLS = { light: "☀", dark: "☾" };

export function themeToggle(button: HTMLElement): void {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const current = () => (root.dataset.theme as "light" | "dark" | undefined) ?? (system.matches ? "dark" : "light");
  const print = () => {
    const other = current() === "dark" ? "light" : "dark";
    button.textContent = SYMBOLS[other];
    button.setAttribute("aria-label", `Switch to ${other} colours`);
    button.title = `Switch to ${other} colours`;
  };
  button.addEventListener("click", () => {
    const next = current() === "dark" ? "light" : "dark";
    const asSystem = next === (system.matches ? "dark" : "light");
    if (asSystem) delete root.dataset.theme;
    else root.dataset.theme = next;
    try {
      // What agrees with the system is no choice, so that the page goes on following it.
      if (asSystem) localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, next);
    } catch {
      // Storage is blocked: the choice lasts for this visit.
    }
    print();
  });
  system.addEventListener("change", print);
  print();
}
