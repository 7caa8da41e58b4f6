// Placeholder: what other pages load from this service.
export {};
