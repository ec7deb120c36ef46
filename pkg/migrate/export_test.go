package migrate

import "context"

// CanWrite proves, for the whole run, that the engine may write.
func CanWrite(ctx context.Context, e *Engine) error { return e.canWrite(ctx) }
