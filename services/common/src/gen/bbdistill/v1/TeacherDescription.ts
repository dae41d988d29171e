// Original file: proto/bbdistill/v1/teacher.proto

import type { ImageShape as _bbdistill_v1_ImageShape, ImageShape__Output as _bbdistill_v1_ImageShape__Output } from '../../bbdistill/v1/ImageShape.js';
import type { RateLimit as _bbdistill_v1_RateLimit, RateLimit__Output as _bbdistill_v1_RateLimit__Output } from '../../bbdistill/v1/RateLimit.js';
import type { Long } from '@grpc/proto-loader';

export interface TeacherDescription {
  'name'?: (string);
  'adapter'?: (string);
  'endpoint'?: (string);
  'cacheIdentity'?: (string);
  'classes'?: (number);
  'inputShape'?: (_bbdistill_v1_ImageShape | null);
  'answerKind'?: (string);
  'imagesPerCall'?: (number);
  'imagesPerSecond'?: (number | string);
  'pricePerImageMicros'?: (number | string | Long);
  'pricePerCallMicros'?: (number | string | Long);
  'currency'?: (string);
  'ready'?: (boolean);
  'detail'?: (string);
  'rates'?: (_bbdistill_v1_RateLimit)[];
  'imagesLeft'?: (number | string | Long);
  'moneyLeftMicros'?: (number | string | Long);
  '_imagesLeft'?: "imagesLeft";
  '_moneyLeftMicros'?: "moneyLeftMicros";
}

export interface TeacherDescription__Output {
  'name': (string);
  'adapter': (string);
  'endpoint': (string);
  'cacheIdentity': (string);
  'classes': (number);
  'inputShape': (_bbdistill_v1_ImageShape__Output | null);
  'answerKind': (string);
  'imagesPerCall': (number);
  'imagesPerSecond': (number);
  'pricePerImageMicros': (number);
  'pricePerCallMicros': (number);
  'currency': (string);
  'ready': (boolean);
  'detail': (string);
  'rates': (_bbdistill_v1_RateLimit__Output)[];
  'imagesLeft'?: (number);
  'moneyLeftMicros'?: (number);
  '_imagesLeft'?: "imagesLeft";
  '_moneyLeftMicros'?: "moneyLeftMicros";
}
