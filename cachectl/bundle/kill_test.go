package bundle

const childVar = "GPX_BUNDLE_KILL_CHILD"

func child(string) error { return nil }
