import type { AnswerConfig } from './answer-config.js';
import type { RequestConfig, ResponseConfig } from './http-json-config.js';

export const PRESETS = [
  'label-score',
  'label-annotations',
  'labels-confidence',
  'tag-predictions',
  'concepts',
] as const;
export type PresetName = (typeof PRESETS)[number];

export interface Preset {
  request: RequestConfig;
  response: ResponseConfig;
  answer: Partial<AnswerConfig>;
}

/** The shapes of the well-known hosted classification APIs; whatever a teacher declares itself comes before. */
export const PRESET_TABLE: Record<PresetName, Preset> = {
  /** A picture in, `[{label, score}]` out, the best few of a softmax; 503 with `estimated_time` while a model loads. */
  'label-score': {
    request: { format: 'raw' },
    response: { labels: '[].label', scores: '[].score', callError: 'error' },
    answer: { kind: 'top-k' },
  },
  /** `responses[].labelAnnotations[{description, score}]`, each label by itself, with an error per image. */
  'label-annotations': {
    request: {
      format: 'base64',
      body: {
        requests: [{ image: { content: '{{image}}' }, features: [{ type: 'LABEL_DETECTION', maxResults: 50 }] }],
      },
    },
    response: {
      items: 'responses',
      absent: 'abstain',
      labels: 'labelAnnotations[].description',
      scores: 'labelAnnotations[].score',
      error: 'error',
    },
    answer: { kind: 'sigmoids' },
  },
  /** `Labels[{Name, Confidence}]` in percent, each label by itself, cut off below a minimum. */
  'labels-confidence': {
    request: { format: 'base64', body: { Image: { Bytes: '{{image}}' }, MaxLabels: 100, MinConfidence: 1 } },
    response: { labels: 'Labels[].Name', scores: 'Labels[].Confidence' },
    answer: { kind: 'sigmoids', percent: true },
  },
  /** A picture in, `predictions[{tagName, probability}]` out, all tags. */
  'tag-predictions': {
    request: { format: 'raw' },
    response: { labels: 'predictions[].tagName', scores: 'predictions[].probability' },
    answer: { kind: 'probabilities' },
  },
  /** `outputs[].data.concepts[{name, value}]`, each concept by itself, with a status per image inside a 200. */
  concepts: {
    request: { format: 'base64', body: { inputs: [{ data: { image: { base64: '{{image}}' } } }] } },
    response: {
      items: 'outputs',
      labels: 'data.concepts[].name',
      scores: 'data.concepts[].value',
      error: 'status.code != `10000` && status',
      // 10000: all well, 10010: some images failed.
      callError: 'status.code != `10000` && status.code != `10010` && status',
    },
    answer: { kind: 'sigmoids' },
  },
};
