package r2

import (
	"net/http"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// watched tells Traffic of each attempt. It stands below the SDK, which repeats requests by itself.
type watched struct {
	traffic userdb.Traffic
	next    http.RoundTripper
	pause   time.Duration // least wait after a throttled attempt
}

func (w *watched) RoundTrip(request *http.Request) (*http.Response, error) {
	w.traffic.Called(userdb.ServiceR2)
	response, err := w.next.RoundTrip(request)
	if err == nil &&
		(response.StatusCode == http.StatusTooManyRequests || response.StatusCode == http.StatusServiceUnavailable) {
		w.traffic.Throttled(userdb.ServiceR2, time.Now().Add(w.pause))
	}
	return response, err
}

// watch lets a client's requests pass by traffic.
func watch(client *http.Client, traffic userdb.Traffic, pause time.Duration) *http.Client {
	if traffic == nil {
		return client
	}
	next := client.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	client.Transport = &watched{traffic: traffic, next: next, pause: pause}
	return client
}
