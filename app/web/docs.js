// Starts Swagger UI on this service's own OpenAPI document. A file of its own: the page's
// Content-Security-Policy allows no inline script.
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  tryItOutEnabled: true,
  validatorUrl: null, // asks swagger.io otherwise
});
