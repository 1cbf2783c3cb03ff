package com.openfaas.model;

import java.util.Map;

/** A call of the function. */
public interface IRequest {
    /** The body as UTF-8 text. */
    String getBody();

    byte[] getBodyBytes();

    /** GET, POST …; a default, so that a test's own request need not have it. */
    default String getMethod() {
        return "POST";
    }

    /** The first value of each header; names are found however they are written. */
    Map<String, String> getHeaders();

    /** The first value of a header, or null. */
    String getHeader(String name);

    /** What follows `?` as it came, or null. */
    String getQueryRaw();

    /** The last value of each parameter; null for one without `=`. */
    Map<String, String> getQuery();

    /** The path as it came, from its `/` on. */
    String getPathRaw();

    /** The path's segments in pairs: `/customer/1` is `customer` to `1`. */
    Map<String, String> getPath();
}
