import { describe, expect, it } from 'vitest';
import { DEFAULT_STATE_FOLDER } from './session.js';
import { stateFlag } from './state-flag.js';

describe('a command that is named to the user', () => {
  it.each([
    ['nothing where all is as by default', {}, ''],
    ['the state folder', { state: 'runs/my state' }, " --state 'runs/my state'"],
    ['a quote in a path', { state: "it's" }, " --state 'it'\\''s'"],
    [
      'the whole way to a remote orchestrator, and the folder of its notes',
      { orchestrator: 'api:443', tokenFile: '~/token', tls: true, caFile: 'ca.pem', state: 'notes' },
      " --orchestrator api:443 --token-file '~/token' --ca-file ca.pem --tls --state notes",
    ],
    [
      'a certificate of its own',
      { orchestrator: 'api:443', tokenEnv: 'TOKEN', certFile: 'c.pem', keyFile: 'k.pem', serverName: 'api.example' },
      ' --orchestrator api:443 --token-env TOKEN --cert-file c.pem --key-file k.pem --server-name api.example',
    ],
  ])('has %s', (_, options, flags) => {
    expect(stateFlag({ state: DEFAULT_STATE_FOLDER, ...options })).toBe(flags);
  });
});
