package userfile

import (
	"encoding/hex"
	"errors"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// sentError is a PUT that may have taken effect, and the ETag of the bytes that were sent.
type sentError struct {
	error
	etag userdb.ETag
}

func (e *sentError) Unwrap() error { return e.error }

func sent(err error, md5 []byte) error {
	if err == nil {
		return nil
	}
	return &sentError{err, userdb.ETag(`"` + hex.EncodeToString(md5) + `"`)}
}

// Asked is the error of a request that asked for these bytes, so that a look can tell whether they arrived.
func Asked(err error, asked wire.MarkRequest) error {
	if err == nil {
		return nil
	}
	return &sentError{err, userdb.ETag(`"` + asked.MD5 + `"`)}
}

// Arrived says whether the file, which carries the mark of a PUT that ended with an error, holds the bytes
// that were sent. The mark alone proves nothing: something on the way may have altered the rest.
func (f Version) Arrived(putErr error) bool {
	var e *sentError
	return !errors.As(putErr, &e) || f.ETag == e.etag
}

// PutBy says whether the object is what a PUT of this fence left, whatever happened to its bytes on the way.
// Without the lock it may be what a writer saved that kept the mark.
func (f Version) PutBy(mark userdb.Mark) bool {
	ours := f.Fenced() && f.Lin == mark.Lin && f.Non == mark.Non
	altered := userdb.MetadataFencedBy(f.Object.Metadata, mark) && userdb.HasOtherContent(f.Object)
	return (f.Locked || f.Tombstone()) && (ours || altered)
}

// AlteredUnderFence says whether the file was fenced with other bytes than were sent, and nobody found out.
func AlteredUnderFence(file Version) bool {
	return userdb.MetadataFenced(file.Object.Metadata) && userdb.HasOtherContent(file.Object)
}

// OtherUnderFence is about such a file.
func OtherUnderFence(op string, u userdb.UserID, file Version) error {
	return onlyCopy(op, u, file, "nothing else may have its rows",
		"give the object metadata without dbmigrate-content (a copy onto itself), and run the same command again")
}
