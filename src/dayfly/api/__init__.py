"""The control plane's HTTP apps: the native API, authentication, problem+json, OpenAPI; the dialects hang beside it."""
