package com.openfaas.model;

import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;

/** An answer: 200 and empty until it is told otherwise. */
public class Response implements IResponse {
    private int statusCode = 200;
    private byte[] body = new byte[0];
    private String contentType = "";
    private final Map<String, String> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);

    @Override
    public String getBody() {
        return new String(body, StandardCharsets.UTF_8);
    }

    @Override
    public void setBody(String body) {
        setBodyBytes(body == null ? null : body.getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public byte[] getBodyBytes() {
        return body;
    }

    @Override
    public void setBodyBytes(byte[] body) {
        this.body = body == null ? new byte[0] : body;
    }

    @Override
    public String getHeader(String name) {
        return headers.get(name);
    }

    @Override
    public void setHeader(String name, String value) {
        headers.put(name, value);
    }

    @Override
    public Map<String, String> getHeaders() {
        return headers;
    }

    @Override
    public String getContentType() {
        return contentType;
    }

    @Override
    public void setContentType(String contentType) {
        this.contentType = contentType == null ? "" : contentType;
    }

    @Override
    public int getStatusCode() {
        return statusCode;
    }

    @Override
    public void setStatusCode(int statusCode) {
        this.statusCode = statusCode;
    }
}
