app = lambda env, start: []
