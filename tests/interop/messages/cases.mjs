// All cases. A case that has `forms` is one for each of them: the answers as JSON, and as an event stream.
import body from './cases/body.mjs';
import exact from './exact.mjs';
import legacy from './cases/legacy.mjs';
import session from './cases/session.mjs';
import sound from './cases/sound.mjs';
import transport from './cases/transport.mjs';
import version from './cases/version.mjs';

// The exact checks have the longest waits: they begin.
const groups = [exact, sound, transport, version, body, session, legacy];

export const CASES = groups.flat().flatMap((one) => (one.forms ?? ['']).map((form) => ({
  ...one,
  id: form ? `${one.id} (${form})` : one.id,
  sse: form === 'sse' || one.sse,
})));
