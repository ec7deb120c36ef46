package userdb

import (
	"crypto/x509"
	"errors"
)

// HintCertificateDates is the way out where CertificateDates.
const HintCertificateDates = "set this machine's clock if it is wrong (date -u); if it is right, the other side has to renew its certificate"

// CertificateDates says whether a certificate was refused because, by this machine's clock, it is not valid
// now.
func CertificateDates(err error) bool {
	var invalid x509.CertificateInvalidError
	return errors.As(err, &invalid) && invalid.Reason == x509.Expired
}
