"""Looking inside: a model's graph, a picture on its way through it, why the answer is so."""
