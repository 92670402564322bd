import { mlflowAnswered, mlflowSilent } from "../errors.js";

/** How long an answer may take. */
const TIMEOUT_MS = 15_000;

/** Where a server is, and who asks. */
export interface ServerOptions {
  readonly url: string;
  readonly token?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

/** An MLflow server's REST API, version 2.0. */
export class MlflowServer {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor({ url, token, username, password }: ServerOptions) {
    this.#url = url.replace(/\/+$/, "");
    const basic = Buffer.from(`${username ?? ""}:${password ?? ""}`).toString("base64");
    const authorization =
      token !== undefined ? `Bearer ${token}` : username === undefined ? undefined : `Basic ${basic}`;
    this.#headers = authorization === undefined ? {} : { authorization };
  }

  /** The answer to a call of `/api/2.0/mlflow/<path>`. @throws THAW_TRACKERS_MLFLOW_SILENT, _ANSWERED */
  async call<Answer>(path: string, body: object): Promise<Answer> {
    const json = { "content-type": "application/json" };
    const text = await this.#ask(`api/2.0/mlflow/${path}`, {
      method: "POST",
      headers: json,
      body: JSON.stringify(body),
    });
    return JSON.parse(text) as Answer;
  }

  /** The same for what is only read; undefined where there is no such thing. */
  async find<Answer>(path: string, query: Readonly<Record<string, string>>): Promise<Answer | undefined> {
    const address = `api/2.0/mlflow/${path}?${new URLSearchParams(query).toString()}`;
    const text = await this.#ask(address, { method: "GET" }, [404]);
    return text === "" ? undefined : (JSON.parse(text) as Answer);
  }

  /** Keeps a file among artifacts that the server itself keeps (`mlflow-artifacts:`). */
  async put(place: string, bytes: Uint8Array<ArrayBuffer> | string): Promise<void> {
    const path = place.split("/").map(encodeURIComponent).join("/");
    await this.#ask(`api/2.0/mlflow-artifacts/artifacts/${path}`, { method: "PUT", body: bytes });
  }

  async #ask(path: string, request: RequestInit, absent: readonly number[] = []): Promise<string> {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const headers = { ...this.#headers, ...(request.headers as Record<string, string> | undefined) };
    const [response, text] = await fetch(`${this.#url}/${path}`, { ...request, headers, signal })
      .then(async (answer) => [answer, await answer.text()] as const)
      .catch((cause: unknown) => {
        throw mlflowSilent(this.#url, cause);
      });
    if (absent.includes(response.status)) return "";
    if (!response.ok) throw mlflowAnswered(this.#url, path.split("?")[0]!, response.status, text);
    return text;
  }
}
