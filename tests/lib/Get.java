import java.io.*;
import java.net.*;
import java.net.http.*;

public class Get {
    public static void main(String[] args) throws Exception {
        for (int i = 1; i < args.length; i++) {
            try {
                System.out.println(args[0].equals("client") ? client(args[i]) : connection(args[i]));
            } catch (IOException e) {
                System.out.println(e);
            }
        }
    }

    static String client(String url) throws Exception {
        HttpClient c = HttpClient.newBuilder().proxy(ProxySelector.getDefault()).build();
        HttpResponse<String> r = c.send(HttpRequest.newBuilder(URI.create(url)).build(), HttpResponse.BodyHandlers.ofString());
        return r.statusCode() + " " + r.body().trim().lines().findFirst().orElse("");
    }

    static String connection(String url) throws Exception {
        HttpURLConnection c = (HttpURLConnection) new URL(url).openConnection();
        int status = c.getResponseCode();
        InputStream in = status < 400 ? c.getInputStream() : c.getErrorStream();
        return status + " " + new String(in.readAllBytes()).trim().lines().findFirst().orElse("");
    }
}
