// Package r2 reads and writes the users' databases in an R2 bucket, over S3. Every read can be pinned to an
// ETag and every write can be conditional on one, because the cutover protocol (docs/cutover.md) rests on
// that.
package r2

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Config says which bucket, and who asks. Endpoint, Bucket and the two keys are required.
type Config struct {
	Endpoint        string // https://<account>.r2.cloudflarestorage.com, or its .eu., .us., .fedramp. form for such buckets
	Bucket          string
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string       // only with temporary credentials
	Region          string       // default "auto"
	HTTP            *http.Client // default: one connection pool for many parallel transfers; redirects are refused either way
	// Around stands between the client and the network; nil: nothing does.
	Around       func(http.RoundTripper) http.RoundTripper
	MaxAttempts  int            // for each request, default 6 (about 15 s of waiting)
	Traffic      userdb.Traffic // told of every request; may be nil
	StallTimeout time.Duration  // a download that brings nothing for so long is broken off and resumed, default 30 s

	waits waits // shorter in tests
}

const (
	defaultMaxAttempts  = 6
	defaultStallTimeout = 30 * time.Second
)

// Client is one bucket. It is safe for concurrent use.
type Client struct {
	s3           *s3.Client
	bucket       string
	maxAttempts  int
	stallTimeout time.Duration
	waits        waits
}

// Object is what R2 says about an object. Names of metadata are in lower case, without x-amz-meta-.
type Object = userdb.Object

// New checks the configuration; it sends nothing.
func New(config Config) (*Client, error) {
	if err := config.validate(); err != nil {
		return nil, &userdb.Error{Op: "configure R2", Thing: config.Bucket, Kind: userdb.Usage, Err: err}
	}
	if config.MaxAttempts == 0 {
		config.MaxAttempts = defaultMaxAttempts
	}
	if config.StallTimeout == 0 {
		config.StallTimeout = defaultStallTimeout
	}
	if config.Region == "" {
		config.Region = "auto"
	}
	if config.waits == (waits{}) {
		config.waits = defaultWaits
	}
	client := s3.New(s3.Options{
		BaseEndpoint: &config.Endpoint,
		Region:       config.Region,
		Credentials: credentials.NewStaticCredentialsProvider(
			config.AccessKeyID,
			config.SecretAccessKey,
			config.SessionToken,
		),
		HTTPClient:   watch(around(withoutRedirects(config.HTTP), config.Around), config.Traffic, config.waits.throttled),
		UsePathStyle: true,
		Retryer:      newRetryer(config.MaxAttempts, config.waits),
		// The SDK's default sends CRC32 in aws-chunked trailers, which R2 refuses or stores as data.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
		// R2 does not answer "100 Continue": waiting for it would add a second to every PUT, inside the write
		// window of a cutover.
		ContinueHeaderThresholdBytes: -1,
		APIOptions:                   []signOption{keepAcceptEncodingUnsigned},
	})
	return &Client{
		s3: client, bucket: config.Bucket, maxAttempts: config.MaxAttempts, stallTimeout: config.StallTimeout, waits: config.waits,
	}, nil
}

func (config Config) validate() error {
	endpoint, err := url.Parse(config.Endpoint)
	switch {
	case config.Bucket == "":
		return errors.New("no bucket is given")
	case config.Endpoint == "":
		return errors.New("no endpoint is given (https://<account id>.r2.cloudflarestorage.com)")
	case err != nil || endpoint.Host == "" || (endpoint.Scheme != "https" && endpoint.Scheme != "http"):
		return errors.New("the endpoint is not a URL (https://<account id>.r2.cloudflarestorage.com)")
	case endpoint.User != nil || endpoint.RawQuery != "":
		return errors.New("the endpoint holds credentials or a query; give the keys separately")
	case config.AccessKeyID == "" || config.SecretAccessKey == "":
		return errors.New("no access key is given (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)")
	case config.MaxAttempts < 0 || config.StallTimeout < 0:
		return fmt.Errorf(
			"MaxAttempts (%d) and StallTimeout (%v) cannot be negative",
			config.MaxAttempts,
			config.StallTimeout,
		)
	}
	return nil
}

func around(client *http.Client, wrap func(http.RoundTripper) http.RoundTripper) *http.Client {
	if wrap != nil {
		client.Transport = wrap(client.Transport)
	}
	return client
}

// Bucket is the bucket's name.
func (c *Client) Bucket() string { return c.bucket }

// withoutRedirects copies the client: a redirect would carry the signature to another host.
func withoutRedirects(given *http.Client) *http.Client {
	client := http.Client{Transport: defaultTransport()}
	if given != nil {
		client = *given
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}

// defaultTransport keeps as many idle connections as a fleet migration uses at once (Go's default is 2), and
// stays with HTTP/1.1, where each transfer has a connection and a TCP window of its own.
func defaultTransport() *http.Transport {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns = 256
	transport.MaxIdleConnsPerHost = 256
	transport.ResponseHeaderTimeout = time.Minute
	transport.ForceAttemptHTTP2 = false
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetHTTP1(true)
	return transport
}
