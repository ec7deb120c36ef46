package race

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
)

// mortality is the transport of a command that dies: its last request arrives or does not, and nobody hears
// the answer. From then on nothing is sent.
type mortality struct {
	mu   sync.Mutex
	left int
}

var errDead = errors.New("killed by the test")

func (m *mortality) dieAfter(requests int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left = requests
}

// RoundTrip implements http.RoundTripper.
func (m *mortality) RoundTrip(request *http.Request) (*http.Response, error) {
	m.mu.Lock()
	m.left--
	left := m.left
	m.mu.Unlock()
	if left > 0 {
		return http.DefaultTransport.RoundTrip(request)
	}
	if left == 0 && rand.IntN(2) == 0 {
		if answer, err := http.DefaultTransport.RoundTrip(request); err == nil {
			answer.Body.Close()
		}
	}
	return nil, errDead
}
