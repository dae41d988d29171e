import { describe, expect, it } from 'vitest';
import { NotFoundError } from '@bbdistill/common';
import { MemoryState } from '../../../test/helpers/memory-state.js';
import { TeacherRegistry, parseTeacherConfig, parseTeachers } from './registry.js';

const metered = {
  adapter: 'open-inference-http',
  url: 'http://127.0.0.1:8700',
  model: 'strips',
  version: '1',
  input: { name: 'images', layout: 'NHWC', datatype: 'FP32', scale: '1/255' },
  answer: { kind: 'probabilities', output: 'probabilities' },
  auth: { header: 'Authorization', env: 'TEACHER_TOKEN' },
  limits: { imagesPerSecond: 200, callsPerMinute: 6000, imagesPerCall: 20, concurrency: 8 },
  price: { perImage: 0.0015, perCall: 0, currency: 'USD', billsFailures: false },
};

describe('teacher config', () => {
  it('parse - the documented example is understood, money in millionths', () => {
    const config = parseTeacherConfig('metered', metered);
    expect(config.input.scale).toBe(1 / 255);
    expect(config.price).toEqual({
      perImageMicros: 1500,
      perCallMicros: 0,
      currency: 'USD',
      billsFailures: false,
    });
    expect(config.limits).toMatchObject({ imagesPerCall: 20, concurrency: 8, timeoutMs: 30_000 });
  });

  it('parse - a path is relative to the configuration file', () => {
    expect(parseTeacherConfig('local', { adapter: 'onnx', path: 'm.onnx' }, '/etc/bbd').path).toBe('/etc/bbd/m.onnx');
  });

  it.each([
    ['an unknown key', { ...metered, limitz: {} }, 'teachers.t.limitz is not known. Did you mean "limits"?'],
    [
      'an unknown key of a section',
      { ...metered, limits: { imagePerCall: 3 } },
      'teachers.t.limits.imagePerCall is not known. Did you mean "imagesPerCall"?',
    ],
    ['an unknown adapter', { adapter: 'telepathy' }, 'teachers.t.adapter'],
    ['no url', { adapter: 'open-inference-http', model: 'm' }, 'teachers.t.url is missing'],
    ['a url of another scheme', { ...metered, url: 'ftp://x' }, 'http:// or https://'],
    ['a url with credentials', { ...metered, url: 'http://me:secret@host' }, 'holds credentials'],
    ['a url with a key', { ...metered, url: 'https://host/x?v=1&key=AIza' }, 'auth: { query: key, env: VARIABLE }'],
    [
      'a url with a token of a gRPC server',
      { ...metered, adapter: 'open-inference-grpc', url: 'host:1?access_token=t' },
      'teachers.t.url has the parameter access_token, which names a secret: leave it out, and write auth: { header: NAME',
    ],
    [
      'a key in a form',
      {
        adapter: 'http-json',
        url: 'http://h',
        request: { format: 'multipart', fields: { apiKey: 'k' } },
        response: { labels: 'l', scores: 's' },
      },
      'teachers.t.request.fields has the parameter apiKey, which names a secret',
    ],
    [
      'a secret in a header and in the address',
      { ...metered, auth: { header: 'X-Key', query: 'key', env: 'A' } },
      'teachers.t.auth.query contradicts auth.header',
    ],
    [
      'a secret with a scheme in the address',
      { ...metered, auth: { scheme: 'Bearer', query: 'key', env: 'A' } },
      'teachers.t.auth.query contradicts auth.scheme',
    ],
    [
      'a secret in the address of a gRPC server',
      { ...metered, adapter: 'open-inference-grpc', url: 'host:1', auth: { query: 'key', env: 'A' } },
      'teachers.t.auth.query is only for the HTTP adapters, not open-inference-grpc: use auth.header',
    ],
    [
      'a parameter for the secret that url has as well',
      { ...metered, url: 'http://h?k=1', auth: { query: 'k', env: 'A' } },
      'teachers.t.auth.query contradicts url',
    ],
    ['no model', { adapter: 'open-inference-grpc', url: 'localhost:1' }, 'teachers.t.model is missing'],
    ['no path', { adapter: 'onnx' }, 'teachers.t.path is missing'],
    ['a path for a server', { ...metered, path: 'x' }, 'teachers.t.path is only for adapter onnx'],
    ['two secrets', { ...metered, auth: { env: 'A', file: 'b' } }, 'exactly one of env and file'],
    [
      'a temperature of what is taken for probabilities',
      { ...metered, answer: { temperature: 2 } },
      'teachers.t.answer.temperature is for answer.kind logits, not probabilities',
    ],
    ['a price below a millionth', { ...metered, price: { perImage: 1e-7 } }, 'whole number of millionths'],
    ['a fraction that is none', { ...metered, input: { scale: '1/x' } }, 'teachers.t.input.scale'],
    ['no gRPC address', { ...metered, adapter: 'open-inference-grpc', url: 'https://host:1' }, 'grpcs://host:port'],
    ['TLS files without TLS', { ...metered, tls: { caFile: 'ca.pem' } }, 'needs a url of https:// or grpcs://'],
    [
      'a certificate without its key',
      { ...metered, url: 'https://h', tls: { certFile: 'a.pem' } },
      'certFile and keyFile',
    ],
  ])('parse - %s is refused', (_, value, message) => {
    expect(() => parseTeacherConfig('t', value)).toThrow(message);
  });

  it('parse - parameters of a url and a form that name no secret are taken', () => {
    const url = 'https://host/x?keywords=a@b&max_tokens=5';
    const request = { format: 'multipart', fields: { keypoints: '3' } };
    const config = { adapter: 'http-json', url, request, response: { labels: 'l', scores: 's' } };
    expect(parseTeacherConfig('t', { ...config, limits: { imagesPerCall: 1 } }).url).toBe(url);
  });

  it.each([
    [{ ...metered, url: 'ftp://me:s3cret@host?key=s3cret' }],
    [{ ...metered, adapter: 'open-inference-grpc', url: 'https://host?key=s3cret', tls: {} }],
    [{ ...metered, url: 'http://me:s3cret@host?key=s3cret', tls: {} }],
  ])('parse - no message shows the secret of a url', (value) => {
    expect(() => parseTeacherConfig('t', value)).toThrow('teachers.t.url');
    expect(() => parseTeacherConfig('t', value)).not.toThrow('s3cret');
  });

  it('parse - all faults of all teachers are named at once', () => {
    const parse = () => parseTeachers({ a: { adapter: 'onnx' }, 'B C': metered });
    expect(parse).toThrow(/teachers\.a\.path is missing[\s\S]*"B C" can't be a teacher's name/);
  });
});

describe('teacher registry', () => {
  it('register - is found again, and replaced by new settings', async () => {
    const registry = new TeacherRegistry(new MemoryState());
    await registry.register(parseTeacherConfig('metered', metered));
    await registry.register(parseTeacherConfig('metered', { ...metered, version: '2' }));
    expect((await registry.get('metered')).version).toBe('2');
    expect(await registry.names()).toEqual(['metered']);
  });

  it('register - the record holds the name of the secret, not the secret', async () => {
    const state = new MemoryState();
    await new TeacherRegistry(state).register(parseTeacherConfig('metered', metered));
    const text = new TextDecoder().decode((await state.get('teachers/metered'))!.value);
    expect(text).toContain('TEACHER_TOKEN');
  });

  it('get - an unknown name is answered with the known ones', async () => {
    const registry = new TeacherRegistry(new MemoryState());
    await registry.register(parseTeacherConfig('metered', metered));
    await expect(registry.get('metred')).rejects.toThrow('Did you mean "metered"?');
    await expect(registry.get('metred')).rejects.toBeInstanceOf(NotFoundError);
  });
});
