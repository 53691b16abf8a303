// One case for each row of a table.
export const each = (table, build) => Object.entries(table).map(([name, value]) => build(name, value));

// The forms of an answer.
export const FORMS = ['json', 'sse'];

// A change of the results of one method.
export const changing = (method, change) => (rpc, result) => (rpc === method ? change(result) : undefined);

// A notification, as text.
export const NOTE = '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"more"}}';
