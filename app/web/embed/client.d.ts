// Types of client.js. What the service answers: docs/api.md.

export interface Prediction { label: string; probability: number }

export interface Answer {
  model: string;
  version: string;
  predictions: Prediction[];
  /** `total`: of the attempt that was answered. The others: within the service, null if it does not say. */
  milliseconds: { total: number; queue: number | null; decode: number | null; network: number | null };
  requestId: string | null;
}

export type Image = Blob | HTMLCanvasElement;
export type Result<F = Image> = { file: F; answer: Answer } | { file: F; error: ClassifierError };
export type Progress<F = Image> = Result<F> & { done: number; of: number; index: number };

export interface ModelSummary {
  name: string; version: string; default: boolean; proven: boolean; description: string;
  labels: string[]; accuracy: number | null; samples?: number; embedding_dim?: number | null;
}

export interface Signal { signal?: AbortSignal }
export interface Options extends Signal { model?: string }

export interface Client {
  predict(image: Image, options?: Options & { topK?: number }): Promise<Answer>;
  predictMany<F extends Image>(files: Iterable<F>, options?: Options & {
    topK?: number; concurrency?: number; onProgress?: (progress: Progress<F>) => void;
  }): Promise<Result<F>[]>;
  models(options?: Signal): Promise<{ models: ModelSummary[]; inside?: boolean }>;
  model(name: string, options?: Signal): Promise<{
    name: string; version: string; default: boolean; proven: boolean; card: Record<string, unknown>;
  }>;
  embed(image: Image, options?: Options): Promise<{ model: string; version: string; dim: number; embedding: number[] }>;
  seen(image: Image, options?: Options): Promise<Record<string, unknown>>;
  inside(image: Image, options?: Options & { layer?: string; channel?: number }): Promise<Record<string, unknown>>;
  explain(image: Image, options?: Options & {
    label?: string; method?: "auto" | "cam" | "unroll" | "occlusion";
  }): Promise<Record<string, unknown>>;
  ready(options?: Signal): Promise<{ ready: boolean; models: string[]; refused: Record<string, string> }>;
  sampleUrl(model: string, number: number): string;
  fileUrl(model: string): string;
}

export interface ClientOptions {
  timeoutMilliseconds?: number;
  /** Attempts after the first, on 429, 503 and no answer at all. */
  retries?: number;
  headers?: Record<string, string>;
  fetch?: typeof fetch;
  onRetry?: (seconds: number, error: ClassifierError) => void;
}

export function createClient(baseUrl: string | URL, options?: ClientOptions): Client;

export class ClassifierError extends Error {
  status: number;
  code: string;
  title: string;
  detail: string;
  requestId: string | null;
  retryAfterSeconds: number | null;
}
