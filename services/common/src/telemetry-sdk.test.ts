import { createConnection } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLogger } from './logger.js';
import { startTelemetry } from './telemetry-sdk.js';
import type { RunningTelemetry } from './telemetry-sdk.js';
import { observe } from './telemetry.js';

let telemetry: RunningTelemetry;
beforeAll(async () => {
  telemetry = await startTelemetry({
    service: 'test',
    metricsListen: '127.0.0.1:0',
    traceSampleRatio: 0,
    logger: silentLogger,
  });
});
afterAll(() => telemetry.stop());

/** The first line of the answer to a request as it stands. */
function firstLine(request: string): Promise<string> {
  const { hostname, port } = new URL(`http://${telemetry.metricsAddress}`);
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: hostname, port: Number(port) });
    socket.on('error', reject);
    socket.on('data', (data: Buffer) => {
      resolve(data.toString().split('\r\n')[0]!);
      socket.destroy();
    });
    socket.write(`${request} HTTP/1.1\r\nHost: x\r\n\r\n`);
  });
}

const scrape = async () => (await fetch(`http://${telemetry.metricsAddress}/metrics?x=1`)).text();

describe('the address that Prometheus scrapes', () => {
  it.each(['GET //', 'GET http://[', 'GET /other', 'POST /metrics'])(
    '%s - is not found, and the process goes on',
    async (request) => {
      expect(await firstLine(request)).toBe('HTTP/1.1 404 Not Found');
      expect(await scrape()).toContain('process_resident_memory_bytes');
    },
  );

  it('a figure that is looked up for long, or not found - is left out, the others are there', async () => {
    const stops = [
      observe('test_silent', { description: 'never told' }, () => new Promise<never>(() => undefined)),
      observe('test_failing', { description: 'never found' }, () => Promise.reject(new Error('away'))),
      observe('test_there', { description: 'there' }, () => [{ value: 7 }]),
    ];
    const text = await scrape();
    expect(text).toMatch(/^test_there\{?.* 7$/m);
    expect(text).not.toMatch(/^test_(silent|failing)\b/m);
    for (const stop of stops) stop();
  });
});
