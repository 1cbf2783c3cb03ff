package com.openfaas.model;

import java.util.Map;

/** What is answered. */
public interface IResponse {
    /** The body as UTF-8 text. */
    String getBody();

    void setBody(String body);

    byte[] getBodyBytes();

    void setBodyBytes(byte[] body);

    /** A header, or null. */
    String getHeader(String name);

    void setHeader(String name, String value);

    Map<String, String> getHeaders();

    String getContentType();

    void setContentType(String contentType);

    int getStatusCode();

    void setStatusCode(int statusCode);
}
