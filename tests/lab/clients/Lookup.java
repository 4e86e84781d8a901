/*
 * Lookup.java: one lookup by Java: for the addresses of a host by InetAddress, which asks the C library, or for records
 * of a type by the JDK's own DNS client (JNDI), which reads /etc/resolv.conf; with the libraries' own times.
 *
 * usage: java Lookup host NAME | java Lookup MX|TXT NAME
 * Says what lookup.c says.
 */
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Hashtable;
import javax.naming.NameNotFoundException;
import javax.naming.NamingException;
import javax.naming.directory.Attribute;
import javax.naming.directory.InitialDirContext;

public class Lookup {
    static String host(String name) {
        try {
            StringBuilder found = new StringBuilder("found");
            for (InetAddress address : InetAddress.getAllByName(name))
                found.append(' ').append(address.getHostAddress());
            return found.toString();
        } catch (UnknownHostException failure) {
            return failure.getMessage().contains("Temporary failure") ? "temporary" : "absent";
        }
    }

    static String records(String type, String name) throws NamingException {
        Hashtable<String, String> environment = new Hashtable<>();
        environment.put("java.naming.factory.initial", "com.sun.jndi.dns.DnsContextFactory");
        InitialDirContext context = new InitialDirContext(environment);
        try {
            Attribute found = context.getAttributes(name, new String[] {type}).get(type);
            return found == null ? "absent" : "found " + String.valueOf(found.get(0)).length();
        } catch (NameNotFoundException failure) {
            return "absent";
        } catch (NamingException failure) {
            return "temporary " + failure.getClass().getSimpleName();
        }
    }

    public static void main(String[] arguments) throws NamingException {
        long began = System.nanoTime();
        String said = arguments[0].equals("host") ? host(arguments[1]) : records(arguments[0], arguments[1]);
        System.out.printf("%.3f %s%n", (System.nanoTime() - began) / 1e9, said);
    }
}
