package doctor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// laterServer has a certificate that begins tomorrow, as every certificate does by a clock of years ago.
func laterServer(t *testing.T) *httptest.Server {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(24 * time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}}}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// By a wrong clock no certificate is valid yet: each service says so, and nothing of addresses or tokens.
func TestCertificatesOfAnotherDay(t *testing.T) {
	c := configOf(laterServer(t).URL)
	findings := checkR2(t.Context(), c, false, "")
	findings = append(findings, checkKV(t.Context(), c, false, "")...)
	findings = append(findings, checkWorker(t.Context(), c, "test", time.Now)...)
	if len(findings) != 3 {
		t.Errorf("%d findings", len(findings))
	}
	for _, f := range findings {
		if f.OK || f.Fix != userdb.HintCertificateDates || !strings.Contains(f.Detail, "not yet valid") {
			t.Errorf("%+v", f)
		}
	}
}
