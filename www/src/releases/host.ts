// The page plays the host of its registry: what `registry.json` says can be changed here, where a real page would
// find it changed by somebody else. All other files are fetched as they are.

export interface Manifest {
  release: string;
  notes: string;
  files: { bytes: number }[];
  index: { count: number; dimension: number; index_type: string };
  model: { name: string };
  evaluations: { measures: Record<string, { mean: number }> }[];
}

interface State {
  aliases: Record<string, string>;
  releases: { name: string; manifest: string }[];
}

export type Role = "champion" | "challenger";

export class Host {
  readonly url = new URL("./registry/", document.baseURI);
  readonly manifests: Manifest[] = [];
  #state: State = { aliases: {}, releases: [] };

  /** Fetches the registry, and answers for `registry.json` from now on. */
  async open(): Promise<void> {
    const get = async (path: string) => {
      const response = await fetch(new URL(path, this.url));
      if (!response.ok) throw new Error(`${path} of the registry answered with HTTP ${response.status}`);
      return response.json() as Promise<unknown>;
    };
    this.#state = (await get("registry.json")) as State;
    this.manifests.push(...((await Promise.all(this.#state.releases.map(({ manifest }) => get(`objects/${manifest}.json`)))) as Manifest[]));
    const own = new URL("registry.json", this.url).href;
    const real = globalThis.fetch;
    globalThis.fetch = (input, init) =>
      String(input instanceof Request ? input.url : input) === own
        ? Promise.resolve(new Response(JSON.stringify(this.#state), { headers: { "content-type": "application/json" } }))
        : real(input, init);
  }

  names(role: Role): string | undefined {
    return this.#state.aliases[role];
  }

  /** Lets an alias name a release. What was champion becomes the challenger of what takes its place. */
  point(role: Role, release: string): void {
    const before = this.#state.aliases[role];
    if (role === "champion" && this.#state.aliases["challenger"] === release && before) this.#state.aliases["challenger"] = before;
    this.#state.aliases[role] = release;
  }
}
