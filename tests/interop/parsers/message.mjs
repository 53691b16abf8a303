// The table of cases, and the answer that a case stands for.
import { readFileSync } from 'node:fs';

const table = JSON.parse(readFileSync(new URL('cases.json', import.meta.url), 'utf8'));

export const GROUPS = Object.keys(table);
export const CASES = GROUPS.flatMap((group) => table[group].cases.map((one) => ({ ...one, group })));
export const REDIRECT = table.registration.bases.public.redirect_uris[0];

// What must have come through unharmed, whatever else was changed.
const KEPT = {
  token: ['access_token', 'refresh_token', 'scope'],
  'server-metadata': ['authorization_endpoint', 'token_endpoint', 'registration_endpoint'],
};

const STOPS_AT = '\u0000';

// What the upstream sends: status, media type ('' for none), body.
export function messageOf(one, origin) {
  const { status } = table[one.group];
  const body = (one.body ?? bodyOf(one)).replaceAll('{origin}', origin);
  return { status: one.status ?? status, type: one.type ?? 'application/json', body };
}

export function sound(group, base, origin) {
  return messageOf({ group, base }, origin);
}

// Who the client is after this registration, as the upstream sees it.
export function clientOf(one) {
  const { bases } = table.registration;
  const registration = one.group === 'registration';
  const base = bases[(registration && one.base) || 'public'];
  const changed = (member) => (registration && one.member === member ? one.value : undefined);
  const id = String(changed('client_id') || base.client_id);
  const isPublic = changed('token_endpoint_auth_method') === 'none' || changed('client_secret') === '';
  return { id, secret: isPublic ? undefined : base.client_secret };
}

// What the client must have read, as members of its own object.
export function expected({ group, base, member, becomes }) {
  const document = table[group].bases[base] ?? {};
  const kept = (KEPT[group] ?? []).filter((name) => name in document);
  return Object.fromEntries(kept.map((name) => [name, name === member ? becomes : document[name]]));
}

function bodyOf({ group, base, member, absent, value, text, nested }) {
  const document = { ...table[group].bases[base] };
  if (absent) delete document[member];
  else if (member) document[member] = text ? STOPS_AT : value;
  // Numbers keep the form that the table gives them: 3600.0 is not 3600.
  const json = JSON.stringify(document).replace(JSON.stringify(STOPS_AT), () => text);
  return nested ? `{"${nested}":${json}}` : json;
}
