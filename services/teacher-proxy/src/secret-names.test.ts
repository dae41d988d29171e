import { describe, expect, it } from 'vitest';
import { namesSecret } from './secret-names.js';

describe('names of secrets', () => {
  it.each([
    'key',
    'api_key',
    'apiKey',
    'APIKey',
    'apikey',
    'x-key',
    'key1',
    'subscription-key',
    'access_token',
    'accesstoken',
    'X-Amz-Security-Token',
    'X-Amz-Signature',
    'sig',
    'clientSecret',
    'auth',
    'oauth_token',
    'password',
  ])('%s is one', (name) => {
    expect(namesSecret(name)).toBe(true);
  });

  it.each([
    'keywords',
    'keypoints',
    'max_tokens',
    'tokenizer',
    'monkey',
    'author',
    'design',
    'signal',
    'model',
    'v',
    '',
  ])('%s is none', (name) => {
    expect(namesSecret(name)).toBe(false);
  });
});
