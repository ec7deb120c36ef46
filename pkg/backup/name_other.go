//go:build !linux && !darwin

package backup

import "errors"

// renameToNew cannot be had everywhere.
func renameToNew(_, _ string) error { return errors.ErrUnsupported }
