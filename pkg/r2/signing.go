package r2

import (
	"context"
	"fmt"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

type signOption = func(*middleware.Stack) error

// keepAcceptEncodingUnsigned replaces the SDK's middleware that sets "Accept-Encoding: identity" before the
// signature is made. A proxy on the way may rewrite that header, and a signed header that was rewritten is a
// SignatureDoesNotMatch. It is still sent, so that Go does not ask for gzip and hide the true length.
func keepAcceptEncodingUnsigned(stack *middleware.Stack) error {
	if _, err := stack.Finalize.Remove("DisableAcceptEncodingGzip"); err != nil {
		return err
	}
	return stack.Finalize.Insert(
		middleware.FinalizeMiddlewareFunc("AcceptIdentityAfterSigning", acceptIdentity),
		"Signing",
		middleware.After,
	)
}

func acceptIdentity(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	middleware.FinalizeOutput, middleware.Metadata, error,
) {
	request, ok := in.Request.(*smithyhttp.Request)
	if !ok {
		return middleware.FinalizeOutput{}, middleware.Metadata{}, fmt.Errorf(
			"unknown request type %T",
			in.Request,
		)
	}
	request.Header.Set("Accept-Encoding", "identity")
	return next.HandleFinalize(ctx, in)
}
