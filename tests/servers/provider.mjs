// An OpenID provider, by the package `oidc-provider`: `node provider.mjs PACKAGES`, where PACKAGES is the folder that it
// is installed in. It prints its issuer, and ends with its input.
//
// All that a person would do is done at once: whoever comes is `ann`, and consents.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const { resolve } = createRequire(`${process.argv[2]}/package.json`);
const { default: Provider } = await import(pathToFileURL(resolve('oidc-provider')));

const server = createServer();
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [{ client_id: 'checker', client_secret: 'checks', redirect_uris: [], response_types: [], grant_types: [] }],
  cookies: { keys: ['of this run alone'] },
  features: {
    devInteractions: { enabled: false },
    introspection: { enabled: true, allowedPolicy: async () => true },
    registration: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: async (_, resource) => ({ scope: 'read write', audience: resource, accessTokenFormat: 'opaque' }),
      useGrantedResource: async () => true,
    },
    revocation: { enabled: true },
  },
  findAccount: async (_, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  interactions: { url: (_, interaction) => `/consent/${interaction.uid}` },
  issueRefreshToken: async (_, client) => client.grantTypeAllowed('refresh_token'),
  rotateRefreshToken: true,
  scopes: ['openid', 'offline_access', 'read', 'write'],
});

const handle = provider.callback();
server.on('request', async (request, response) => {
  if (!request.url.startsWith('/consent/')) {
    return handle(request, response);
  }
  const { prompt, params, session, grantId } = await provider.interactionDetails(request, response);
  if (prompt.name === 'login') {
    return provider.interactionFinished(request, response, { login: { accountId: 'ann' } });
  }
  const grant = grantId
    ? await provider.Grant.find(grantId)
    : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope((prompt.details.missingOIDCScope ?? []).join(' '));
  for (const [resource, scopes] of Object.entries(prompt.details.missingResourceScopes ?? {})) {
    grant.addResourceScope(resource, scopes.join(' '));
  }
  const consent = { grantId: await grant.save() };
  return provider.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true });
});

console.log(issuer);
process.stdin.on('end', () => process.exit(0)).resume();
