import * as client from '@modelcontextprotocol/client';
import { answerAll } from './ts-sdk.mjs';

await answerAll(client, (error) => {
  if (error instanceof client.OAuthError) return error.code;
  if (!(error instanceof client.RegistrationRejectedError)) return undefined;
  // It keeps what a refused registration said as text.
  try {
    return JSON.parse(error.body).error;
  } catch {
    return undefined;
  }
});
