// The login and consent pages, and how a person's browser uses them.
export const PERSON = { email: 'person@example.com', password: 'correct horse battery' };

// A page as an application with better-auth's browser client has it: its script sends the form as
// JSON together with the signed query of the page, and then goes where the answer says.
export function scriptedForm(title, action, fields) {
  const inputs = Object.entries(fields)
    .map(([name, type]) => `<label>${name} <input name="${name}" type="${type}"></label>`)
    .join('\n');
  return `<!doctype html><meta charset="utf-8"><title>${title}</title><h1>${title}</h1>
<form action="${action}" data-sends="json">
${inputs}
<button>${title}</button></form><p id="problem"></p>
<script>
document.querySelector('form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const body = { oauth_query: location.search.slice(1) };
  for (const input of event.target.querySelectorAll('input')) {
    body[input.name] = input.type === 'checkbox' ? input.checked : input.value;
  }
  const answer = await fetch(event.target.action, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  const url = answer.ok && JSON.parse(text).url;
  if (url) location.assign(url);
  else document.querySelector('#problem').textContent = answer.status + ' ' + text;
});
</script>`;
}
