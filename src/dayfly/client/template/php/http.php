<?php

// As much of HTTP/1.1 as the platform speaks to a function: one request a connection, read and answered whole.

declare(strict_types=1);

namespace Dayfly;

const REASONS = [
    200 => 'OK', 201 => 'Created', 202 => 'Accepted', 204 => 'No Content', 301 => 'Moved Permanently', 302 => 'Found',
    303 => 'See Other', 304 => 'Not Modified', 400 => 'Bad Request', 401 => 'Unauthorized', 403 => 'Forbidden',
    404 => 'Not Found', 405 => 'Method Not Allowed', 409 => 'Conflict', 413 => 'Content Too Large',
    422 => 'Unprocessable Content', 429 => 'Too Many Requests', 500 => 'Internal Server Error',
    503 => 'Service Unavailable',
];
const OURS = ['content-length', 'transfer-encoding', 'connection', 'keep-alive'];

/** A call of the function. */
final class Request
{
    /** @param array<string, string> $headers by their names in lower case */
    public function __construct(
        public readonly string $method,
        public readonly string $path,
        public readonly string $query,
        public readonly array $headers,
        public readonly string $body,
    ) {
    }

    /** The next request of a connection; null when there is none. */
    public static function read($connection): ?self
    {
        $words = explode(' ', (string) fgets($connection));
        if (count($words) < 3) {
            return null;
        }
        [$path, $query] = explode('?', $words[1], 2) + [1 => ''];
        $headers = self::headers($connection);
        if (strtolower($headers['expect'] ?? '') === '100-continue') {
            fwrite($connection, "HTTP/1.1 100 Continue\r\n\r\n");
        }
        return new self($words[0], $path, $query, $headers, self::body($connection, $headers));
    }

    private static function headers($connection): array
    {
        $headers = [];
        while (($line = rtrim((string) fgets($connection), "\r\n")) !== '') {
            [$name, $value] = explode(':', $line, 2) + [1 => ''];
            $name = strtolower($name);
            $headers[$name] = isset($headers[$name]) ? "{$headers[$name]}, " . trim($value) : trim($value);
        }
        return $headers;
    }

    private static function body($connection, array $headers): string
    {
        if (!isset($headers['transfer-encoding'])) {
            return self::take($connection, (int) ($headers['content-length'] ?? 0));
        }
        $body = '';
        while (($size = hexdec(trim(explode(';', (string) fgets($connection))[0]))) > 0) {
            $body .= self::take($connection, $size);
            fgets($connection);
        }
        self::headers($connection); // trailers
        return $body;
    }

    private static function take($connection, int $size): string
    {
        return $size > 0 ? (string) stream_get_contents($connection, $size) : '';
    }

    /** The variables of OpenFaaS's classic watchdog: Http_Method, Http_Path, Http_Query, Http_NAME. */
    public function variables(): array
    {
        $found = ['Http_Method' => $this->method, 'Http_Path' => $this->path];
        if ($this->query !== '') {
            $found['Http_Query'] = $this->query;
        }
        foreach ($this->headers as $name => $value) {
            // A name with `_` would pass for the one with a dash; Proxy would be read back as the proxy to use.
            if (!str_contains((string) $name, '_') && $name !== 'proxy') {
                $found += ['Http_' . strtr(ucwords((string) $name, '-'), '-', '_') => $value];
            }
        }
        return $found;
    }
}

/** What is answered. */
final class Answer
{
    /** @param array<string, string> $headers */
    private function __construct(private int $status, private array $headers, private string $body)
    {
    }

    /** What the function returned as an answer. Throws ValueError for what cannot be sent. */
    public static function of(mixed $returned): self
    {
        $whole = is_array($returned) && (isset($returned['statusCode']) || array_key_exists('body', $returned));
        $status = (int) ($whole ? $returned['statusCode'] ?? 200 : 200);
        if ($status < 200 || $status > 599) {
            throw new \ValueError("a status of $status cannot be sent");
        }
        [$kind, $body] = self::content($whole ? $returned['body'] ?? null : $returned);
        $headers = $kind === null ? [] : ['content-type' => $kind];
        foreach ($whole ? $returned['headers'] ?? [] : [] as $name => $value) {
            if (!preg_match("/^[!#$%&'*+\\-.^_`|~0-9A-Za-z]+$/D", (string) $name) || preg_match('/[\r\n\0]/', (string) $value)) {
                throw new \ValueError("the header $name cannot be sent");
            }
            $headers[strtolower((string) $name)] = (string) $value;
        }
        return new self($status, $headers, $body);
    }

    /** The answer to a call that failed, as every language of the platform tells it (RFC 9457). */
    public static function problem(string $kind, string $callId): self
    {
        return new self(500, ['content-type' => 'application/problem+json'], (string) json_encode([
            'type' => 'urn:dayfly:problem:function_failed',
            'title' => 'Internal Server Error',
            'status' => 500,
            'detail' => "the function raised $kind; its log has the traceback",
            'code' => 'function_failed',
            'call_id' => $callId,
        ], JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE));
    }

    public function send($connection, bool $headOnly): void
    {
        $lines = ["HTTP/1.1 {$this->status} " . (REASONS[$this->status] ?? 'Unknown'), 'connection: close'];
        foreach ($this->headers as $name => $value) {
            if (!in_array($name, OURS, true)) {
                $lines[] = "$name: $value";
            }
        }
        $bodiless = in_array($this->status, [204, 304], true);
        if (!$bodiless) {
            $lines[] = 'content-length: ' . strlen($this->body);
        }
        $bytes = implode("\r\n", $lines) . "\r\n\r\n" . ($bodiless || $headOnly ? '' : $this->body);
        fwrite($connection, $bytes);
    }

    /** @return array{?string, string} */
    private static function content(mixed $body): array
    {
        if ($body === null) {
            return [null, ''];
        }
        if (is_string($body) || $body instanceof \Stringable) {
            $text = preg_match('//u', (string) $body) === 1;
            return [$text ? 'text/plain; charset=utf-8' : 'application/octet-stream', (string) $body];
        }
        return ['application/json', json_encode($body, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE)];
    }
}
