package com.openfaas.model;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;

/** A request, held whole. */
public class Request implements IRequest {
    private final byte[] body;
    private final Map<String, String> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
    private final String method;
    private final String queryRaw;
    private final String pathRaw;

    public Request(byte[] body, Map<String, String> headers) {
        this(body, headers, "POST", null, "/");
    }

    public Request(byte[] body, Map<String, String> headers, String queryRaw, String pathRaw) {
        this(body, headers, "POST", queryRaw, pathRaw);
    }

    public Request(byte[] body, Map<String, String> headers, String method, String queryRaw, String pathRaw) {
        this.body = body == null ? new byte[0] : body;
        if (headers != null) {
            this.headers.putAll(headers);
        }
        this.method = method;
        this.queryRaw = queryRaw;
        this.pathRaw = pathRaw;
    }

    @Override
    public String getBody() {
        return new String(body, StandardCharsets.UTF_8);
    }

    @Override
    public byte[] getBodyBytes() {
        return body;
    }

    @Override
    public String getMethod() {
        return method;
    }

    @Override
    public Map<String, String> getHeaders() {
        return headers;
    }

    @Override
    public String getHeader(String name) {
        return headers.get(name);
    }

    @Override
    public String getQueryRaw() {
        return queryRaw;
    }

    @Override
    public Map<String, String> getQuery() {
        Map<String, String> found = new LinkedHashMap<>();
        if (queryRaw != null && !queryRaw.isEmpty()) {
            for (String pair : queryRaw.split("&")) {
                int at = pair.indexOf('=');
                found.put(decoded(at < 0 ? pair : pair.substring(0, at)), at < 0 ? null : decoded(pair.substring(at + 1)));
            }
        }
        return found;
    }

    @Override
    public String getPathRaw() {
        return pathRaw;
    }

    @Override
    public Map<String, String> getPath() {
        Map<String, String> found = new LinkedHashMap<>();
        if (pathRaw != null && pathRaw.length() > 1) {
            String[] segments = pathRaw.substring(1).split("/");
            for (int at = 0; at < segments.length; at += 2) {
                found.put(segments[at], at + 1 < segments.length ? segments[at + 1] : "");
            }
        }
        return found;
    }

    /** Percent-decoded; as it is where it is not well encoded, since a caller's mistake is no fault of the function. */
    private static String decoded(String text) {
        try {
            return URLDecoder.decode(text, StandardCharsets.UTF_8);
        } catch (IllegalArgumentException malformed) {
            return text;
        }
    }
}
