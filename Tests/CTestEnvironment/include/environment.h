// The target has a constructor and nothing to call.
