/** The text of api/openapi.yaml: what the routes of a server say of themselves, and answers that were recorded. */
import { stringify } from 'yaml';
import type { App } from '../src/api/routes/context.ts';

export interface Recorded {
  /** `/v1/nodes/{key}` */
  readonly path: string;
  readonly method: string;
  readonly status: number;
  readonly request?: unknown;
  readonly answer: unknown;
}

interface Media {
  example?: unknown;
}

interface Operation {
  readonly operationId?: string;
  readonly requestBody?: { readonly content: Record<string, Media> };
  readonly responses: Record<string, { readonly content?: Record<string, Media> }>;
}

export interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

export function descriptionOf(app: App): Description {
  return JSON.parse(JSON.stringify((app as unknown as { swagger(): object }).swagger())) as Description;
}

const HEAD = '# Made from the routes of sm-api and from answers that its tests recorded; a test compares.\n';

export function openApiText(description: Description, recorded: readonly Recorded[]): string {
  const document = structuredClone(description);
  for (const { path, method, status, request, answer } of recorded) {
    const operation = document.paths[path]?.[method.toLowerCase()];
    for (const media of Object.values(operation?.responses[status]?.content ?? {})) media.example = answer;
    if (request === undefined || status >= 300) continue;
    for (const media of Object.values(operation?.requestBody?.content ?? {})) media.example = request;
  }
  return HEAD + stringify(document, { lineWidth: 0, aliasDuplicateObjects: false });
}
