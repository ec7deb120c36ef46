package userdb

import "time"

// Service is who answers our requests.
type Service string

// The services. The names are for people and for labels of metrics.
const (
	ServiceR2     Service = "R2"
	ServiceKV     Service = "KV API" // the Cloudflare API; an account has 1,200 calls in 5 minutes
	ServiceWorker Service = "Worker" // with the Durable Objects behind it
)

// Traffic is told by the clients what goes over the wire: progress shows it, a limiter adapts to it. It is
// called from many goroutines and must not block.
type Traffic interface {
	// Called counts one HTTP request, repeated ones too.
	Called(who Service)
	// Throttled says that who asked us to slow down (429, 503, or its own word for it) and that what was sent
	// is not repeated before until.
	Throttled(who Service, until time.Time)
}

// NoTraffic is told and does nothing.
type NoTraffic struct{}

// Called does nothing.
func (NoTraffic) Called(Service) {}

// Throttled does nothing.
func (NoTraffic) Throttled(Service, time.Time) {}
