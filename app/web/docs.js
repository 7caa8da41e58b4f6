// Starts Swagger UI on this service's own OpenAPI document. A file of its own: the page's
// Content-Security-Policy allows no inline script.

import { call, curlOptions } from "/web/key.js";

try {
  const spec = await (await call("/openapi.json")).json();
  // The key is asked for once, by key.js: Swagger's own form would send a second one beside it.
  delete spec.security;
  delete spec.components.securitySchemes;
  SwaggerUIBundle({
    spec,
    dom_id: "#docs",
    deepLinking: true,
    defaultModelsExpandDepth: 0,
    tryItOutEnabled: true,
    validatorUrl: null, // asks swagger.io otherwise
    // The key is put in behind Swagger UI's back, which shows each request that it sends.
    requestInterceptor: (request) => Object.assign(request, { userFetch: call, curlOptions: curlOptions() }),
  });
} catch {
  document.getElementById("docs").textContent = "The service does not answer. Is it still running?";
}
