"""The bucket over S3, with the standard library only. In your backend this is boto3: each method names its call."""

import datetime
import hashlib
import hmac
import http.client
import urllib.parse


class Missing(Exception):
    """There is no such key."""


class Changed(Exception):
    """Somebody else saved since: the ETag is another one."""


class Bucket:
    def __init__(self, endpoint, bucket, access_key, secret_key):
        self.endpoint, self.bucket = urllib.parse.urlsplit(endpoint), bucket
        self.access_key, self.secret_key = access_key, secret_key

    def load(self, key):
        """s3.get_object(Bucket=bucket, Key=key): the content and the ETag."""
        content, headers = self._send("GET", key, b"", {})
        return content, headers["ETag"]

    def save(self, key, content, etag=None):
        """s3.put_object(Bucket=bucket, Key=key, Body=content), and IfMatch=etag if an ETag is given."""
        self._send("PUT", key, content, {"if-match": etag} if etag else {})

    def _send(self, method, key, body, extra):
        path = urllib.parse.quote(f"{self.endpoint.path}/{self.bucket}/{key}")
        headers = self._signed(method, path, body, extra)
        kind = http.client.HTTPSConnection if self.endpoint.scheme == "https" else http.client.HTTPConnection
        connection = kind(self.endpoint.netloc, timeout=30)
        try:
            connection.request(method, path, body or None, headers)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if response.status == 404:
            raise Missing(key)
        if response.status in (409, 412):
            raise Changed(key)
        if response.status != 200:
            raise OSError(f"{method} {key}: HTTP {response.status}")
        return content, response.headers

    def _signed(self, method, path, body, extra):
        """AWS Signature Version 4."""
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        digest = hashlib.sha256(body).hexdigest()
        headers = {"host": self.endpoint.netloc, "x-amz-content-sha256": digest, "x-amz-date": now, **extra}
        names = ";".join(sorted(headers))
        lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        request = "\n".join([method, path, "", lines, names, digest])
        scope = f"{now[:8]}/auto/s3/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(request.encode()).hexdigest()])
        key = ("AWS4" + self.secret_key).encode()
        for part in (*scope.split("/"), text):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={self.access_key}/{scope}, "
                                    f"SignedHeaders={names}, Signature={key.hex()}")
        return headers
