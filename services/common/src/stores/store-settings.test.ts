import { describe, expect, it } from 'vitest';
import { defineConfig } from '../config.js';
import { STORE_RULES, STORE_SETTINGS, natsStoresOptions } from './store-settings.js';

const config = defineConfig(STORE_SETTINGS, STORE_RULES);
const load = (env: Record<string, string>) => config.load({ env });

describe('settings of the stores', () => {
  it('defaults - without a NATS the folder is meant', () => {
    expect(load({}).natsUrl).toBeUndefined();
  });

  it('options - servers, identity, TLS and limits arrive where the stores are opened', () => {
    const values = load({
      NATS_URL: 'nats://a:4222, nats://b:4222',
      NATS_NKEY_FILE: '/seed',
      NATS_CA_FILE: '/ca.pem',
      NATS_CERT_FILE: '/cert.pem',
      NATS_KEY_FILE: '/key.pem',
      NATS_REPLICAS: '3',
      NATS_NAMESPACE: 'mine',
      NATS_MAX_BLOB_BYTES: '1000',
      NATS_PATIENCE_MS: '2000',
      NATS_ACK_WAIT_MS: '4000',
    });
    expect(natsStoresOptions({ ...values, natsUrl: values.natsUrl! })).toEqual({
      servers: ['nats://a:4222', 'nats://b:4222'],
      credentials: { nkeySeedFile: '/seed', tls: { caFile: '/ca.pem', certFile: '/cert.pem', keyFile: '/key.pem' } },
      replicas: 3,
      namespace: 'mine',
      patienceMs: 2_000,
      ackWaitMs: 4_000,
      maxBytes: { blobs: 1_000, state: -1, queue: -1, events: -1 },
    });
  });

  it('options - a tls:// address asks for TLS with the authorities that Node knows', () => {
    const values = load({ NATS_URL: 'tls://nats.example:4222' });
    expect(natsStoresOptions({ ...values, natsUrl: values.natsUrl! }).credentials).toEqual({ tls: {} });
  });

  it.each([
    ['an address of another kind', { NATS_URL: 'http://a:1' }, /nats:\/\/host:port or tls:\/\/host:port, not "http:/],
    ['an address without scheme', { NATS_URL: 'localhost:4222' }, /must be nats:\/\/host:port/],
    ['a password in the address', { NATS_URL: 'nats://me:hush@a:1' }, /no user or password \(a:1\).*natsCredsFile/],
    ['two replicas', { NATS_URL: 'nats://a', NATS_REPLICAS: '2' }, /natsReplicas .*one of 1, 3, 5, not "2"/],
    ['a namespace with a dot', { NATS_URL: 'nats://a', NATS_NAMESPACE: 'a.b' }, /natsNamespace .*not "a\.b"/],
    [
      'settings of NATS without NATS',
      { NATS_CREDS_FILE: 'f', NATS_REPLICAS: '3' },
      /natsCredsFile and natsReplicas.*natsUrl/,
    ],
    [
      'two identities',
      { NATS_URL: 'nats://a', NATS_CREDS_FILE: 'f', NATS_TOKEN_FILE: 'g' },
      /natsCredsFile and natsTokenFile can't both/,
    ],
    ['a certificate without its key', { NATS_URL: 'nats://a', NATS_CERT_FILE: 'f' }, /natsCertFile and natsKeyFile/],
    ['an ack wait that no heartbeat keeps', { NATS_URL: 'nats://a', NATS_ACK_WAIT_MS: '5' }, /natsAckWaitMs .*3000/],
  ])('refusals - %s', (_what, env, message) => {
    expect(() => load(env)).toThrow(message);
    expect(() => load(env)).not.toThrow('hush');
  });
});
