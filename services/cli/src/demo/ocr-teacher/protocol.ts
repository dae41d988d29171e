/** How the demo's black box introduces itself. */
export const OCR_MODEL = {
  name: 'digits',
  version: '1',
  inputName: 'images',
  outputName: 'probabilities',
  dims: [28, 28, 1],
} as const;

/** Told to the process as JSON in its first argument. */
export interface OcrProcessOptions {
  threads: number;
  /** 0 = any free one. */
  port: number;
}

/** What the process says once it serves. */
export interface OcrTeacherReady {
  url: string;
}

export function readOptions(argument: string | undefined): OcrProcessOptions {
  return JSON.parse(argument ?? '{"threads":1,"port":0}') as OcrProcessOptions;
}
