package userdb

import (
	"errors"
	"fmt"
	"net/url"
	"testing"
)

func TestTransportCause(t *testing.T) {
	reset := errors.New("connection reset")
	wrapped := fmt.Errorf("sdk: %w", &url.Error{Op: "Get", URL: "https://example.org/long", Err: reset})
	for _, err := range []error{reset, wrapped} {
		if got := TransportCause(err); !errors.Is(got, reset) || got.Error() != reset.Error() {
			t.Errorf("%v: got %v", err, got)
		}
	}
	if TransportCause(nil) != nil {
		t.Error("nothing has a cause")
	}
}
