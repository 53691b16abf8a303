// All cases. A case that has `forms` is one for each of them: the answers as JSON, and as an event stream.
import envelope from './cases/envelope.mjs';
import answers from './cases/exact/answers.mjs';
import events from './cases/exact/events.mjs';
import http from './cases/exact/http.mjs';
import notifications from './cases/exact/notifications.mjs';
import sessions from './cases/exact/sessions.mjs';
import versions from './cases/exact/versions.mjs';
import form from './cases/form.mjs';
import legacy from './cases/legacy.mjs';
import lists from './cases/lists.mjs';
import session from './cases/session.mjs';
import sound from './cases/sound.mjs';
import transport from './cases/transport.mjs';
import version from './cases/version.mjs';

// The exact checks have the longest waits, of silent streams: they begin.
const exact = [events, notifications, sessions, answers, versions, http];
const groups = [...exact, sound, transport, version, form, envelope, lists, session, legacy];

export const CASES = groups.flat().flatMap((one) => (one.forms ?? ['']).map((form) => ({
  ...one,
  id: form ? `${one.id} (${form})` : one.id,
  sse: form === 'sse' || one.sse,
})));
