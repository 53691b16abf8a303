import * as auth from '@modelcontextprotocol/sdk/client/auth.js';
import { OAuthError } from '@modelcontextprotocol/sdk/server/auth/errors.js';
import { answerAll } from './ts-sdk.mjs';

await answerAll(auth, (error) => (error instanceof OAuthError ? error.errorCode : undefined));
