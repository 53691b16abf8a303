import * as client from '@modelcontextprotocol/client';
import { answerAll } from './ts-sdk.mjs';

await answerAll(client, (error) => {
  if (error instanceof client.OAuthError) return error.code;
  // It keeps what a refused registration said as text.
  if (error instanceof client.RegistrationRejectedError) return JSON.parse(error.body).error;
  return undefined;
});
