import { z } from 'zod';
import { jsonPath } from './adapters/json-answer.js';

export const REQUEST_FORMATS = ['raw', 'base64', 'multipart', 'tensor'] as const;
export const PICTURE_FORMATS = ['png', 'jpeg'] as const;
export const DEFAULT_MULTIPART_FIELD = 'image';
/** Stands for an image in `request.body`. */
export const IMAGE_PLACEHOLDER = '{{image}}';

const path = z
  .string()
  .min(1)
  .superRefine((expression, context) => {
    try {
      jsonPath(expression);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      context.addIssue({ code: 'custom', message: `"${expression}" is no JMESPath expression: ${reason}` });
    }
  });

/** `request:` of adapter http-json: how images travel. */
export const requestSection = z.strictObject({
  /** raw: a picture is the body; base64, tensor: inside `body`; multipart: a field of a form. */
  format: z.enum(REQUEST_FORMATS).optional(),
  method: z.enum(['POST', 'PUT']).optional(),
  /** JSON with "{{image}}" where an image belongs; a list whose only element holds it has one element an image. */
  body: z.json().optional(),
  /** multipart: name of the field, once an image. */
  field: z.string().min(1).optional(),
  /** multipart: further fields. */
  fields: z.record(z.string(), z.string()).optional(),
  /** Further headers; secrets belong into auth. */
  headers: z.record(z.string(), z.string()).optional(),
});

/** `response:` of adapter http-json: where labels and scores are, as JMESPath. */
export const responseSection = z.strictObject({
  /** The list with one part an image; absent: the whole answer is the one image's. */
  items: path.optional(),
  labels: path.optional(),
  scores: path.optional(),
  /** A row of one number per class, instead of labels and scores. */
  values: path.optional(),
  /** What an answer means that has nothing at labels: that the teacher names no class, or that it is no answer. */
  absent: z.enum(['abstain', 'unreadable']).optional(),
  /** Of one image's part: what is there unless the image failed. */
  error: path.optional(),
  /** Of the whole answer: what is there unless the call failed. */
  callError: path.optional(),
});

export type RequestConfig = z.output<typeof requestSection>;
export type ResponseConfig = z.output<typeof responseSection>;

/** Whether one call can hold several images. */
export function takesSeveral(request: RequestConfig): boolean {
  if (request.format === 'raw') return false;
  if (request.format === 'multipart') return true;
  return repeatedList(request.body) !== undefined;
}

/** Whether "{{image}}" is anywhere inside. */
export function holdsImage(template: unknown): boolean {
  if (typeof template === 'string') return template.includes(IMAGE_PLACEHOLDER);
  if (template === null || typeof template !== 'object') return false;
  return Object.values(template).some(holdsImage);
}

/** The outermost list whose only element holds the image. */
export function repeatedList(template: unknown): readonly unknown[] | undefined {
  if (template === null || typeof template !== 'object') return undefined;
  if (Array.isArray(template) && template.length === 1 && holdsImage(template[0])) return template as unknown[];
  for (const part of Object.values(template)) {
    const found = holdsImage(part) ? repeatedList(part) : undefined;
    if (found) return found;
  }
  return undefined;
}
