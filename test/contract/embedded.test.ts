import { embeddedFixture } from './embedded-fixture.js';
import { blobStoreContract } from './blob-store.contract.js';
import { eventLogContract } from './event-log.contract.js';
import { stateStoreContract } from './state-store.contract.js';
import { workQueueContract } from './work-queue.contract.js';

blobStoreContract('embedded', embeddedFixture);
stateStoreContract('embedded', embeddedFixture);
eventLogContract('embedded', embeddedFixture);
workQueueContract('embedded', embeddedFixture);
