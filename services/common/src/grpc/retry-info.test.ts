import { Metadata, status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { readRetryInfo, setRetryInfo } from './retry-info.js';

/** Status { code: 8, details: [Any { RetryInfo { retry_delay { seconds: 2, nanos: 500 000 000 } } }] }, byte by byte. */
function foreignStatus(): Buffer {
  const url = Buffer.from('type.googleapis.com/google.rpc.RetryInfo');
  const duration = Buffer.from([0x08, 0x02, 0x10, 0x80, 0xca, 0xb5, 0xee, 0x01]);
  const info = Buffer.concat([Buffer.from([0x0a, duration.length]), duration]);
  const any = Buffer.concat([Buffer.from([0x0a, url.length]), url, Buffer.from([0x12, info.length]), info]);
  return Buffer.concat([Buffer.from([0x08, 0x08, 0x1a, any.length]), any]);
}

const withDetails = (bytes: Buffer) => {
  const metadata = new Metadata();
  metadata.set('grpc-status-details-bin', bytes);
  return metadata;
};

describe('gRPC RetryInfo', () => {
  it('is read as other servers write it', () => {
    expect(readRetryInfo(withDetails(foreignStatus()))).toBe(2500);
  });

  it('is written so that it comes back', () => {
    const metadata = new Metadata();
    setRetryInfo(metadata, status.RESOURCE_EXHAUSTED, 'slow down', 1234.5);
    expect(readRetryInfo(metadata)).toBeCloseTo(1234.5, 3);
  });

  it.each([
    ['nothing', new Metadata()],
    ['bytes that are no status', withDetails(Buffer.from([0xff, 0xff, 0xff]))],
    ['a status without it', withDetails(Buffer.from([0x08, 0x08]))],
  ])('%s says nothing', (_, metadata) => {
    expect(readRetryInfo(metadata)).toBeUndefined();
  });
});
