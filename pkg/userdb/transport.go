package userdb

import (
	"errors"
	"net/url"
)

// TransportCause drops net/http's wrapping, and what an SDK has put around it: both repeat the URL.
func TransportCause(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}
